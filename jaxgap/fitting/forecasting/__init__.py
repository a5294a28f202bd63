"""Where a run will be: the solver, the verifier and the gap at a time to come.

:func:`forecast` averages over what learning curves are known to do, in five steps of a file each:
the shapes with their prior (`shapes`), exact Bayes for all that is linear (`filter`), the weights
of thousands of draws (`posterior`), more draws where these are few (`tempering`), and what follows
for the next round (`advice`).
"""

from jaxgap.fitting.forecasting.advice import Advice, RoundsLeft
from jaxgap.fitting.forecasting.forecast import Forecast, Predictive, forecast, forecast_average

__all__ = ["Advice", "Forecast", "Predictive", "RoundsLeft", "forecast", "forecast_average"]
