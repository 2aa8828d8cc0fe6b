"""The experiment `recirculation-figures`."""
