"""The experiment `tourbillon-figures`."""
