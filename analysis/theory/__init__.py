"""The theory of recirculation (Baldi & Sadowski 2018, sections 5 and 6), as code that is tested against circuits.

`linear` has the matrix systems of section 5.2 and 6.3, `chain` and `basins` those of A*[1, ..., 1], `hidden` those of
A*[1, N, 1]; `flow` integrates many starts at once, `circuits` runs the simulated circuit from the same weights.
`checks_*` test each statement on random starts; `statements` has their wording and the corrections of false ones.
"""
