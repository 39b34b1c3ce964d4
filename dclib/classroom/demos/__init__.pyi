from .judge_table import JudgeTable as JudgeTable
from .live_plot import LivePlot as LivePlot
from .lloyd_stepper import LloydStepper as LloydStepper
from .picture import Picture as Picture
from .picture import slider_figure as slider_figure
from .point_canvas import HoverDigits as HoverDigits
from .point_canvas import PointCanvas as PointCanvas
from .target_sharpener import TargetSharpener as TargetSharpener
