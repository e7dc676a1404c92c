"""The statistics of the study: laws, their intervals, and what a design cannot tell.

Every function takes a plain table of finished runs (`Runs`) or bare arrays; none knows how a model
is trained. Numbers that the design cannot identify are reported as such, not as numbers.

- `law`, `profile`, `bootstrap`, `report`: L = L∞ + A N^−α + B D^−β with intervals and verdicts
- `power`: the pure power law in one variable
- `equivalence`: "no scaling" and "no improvement", which need an equivalence test
- `association`: do the outcomes follow the loss, given N and D?
- `early`: training-performance estimation; `front`: the compute-optimal front
- `table`: from finished runs to `Runs`
- `coverage`: how often the intervals hold the truth, on the studies of `synthetic`
"""
