"""Where a run will be: the solver, the verifier and the gap at a future time.

:func:`forecast` averages over what learning curves are known to do, in five steps, each in its own
module: the shapes and their prior (`shapes`), exact Bayesian inference for everything linear
(`filter`), the weights of thousands of draws (`futures`), more draws where few are effective
(`tempering`), and what follows for the next round (`advice`).
"""

from jaxgap.fitting.forecasting.advice import Advice, RoundsLeft
from jaxgap.fitting.forecasting.forecast import Forecast, Predictive, forecast, forecast_average

__all__ = ["Advice", "Forecast", "Predictive", "RoundsLeft", "forecast", "forecast_average"]
