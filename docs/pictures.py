"""Draws the documents' pictures: out of two runs, and the windows that rules need as depth grows.

Run: circuitsim run quickstart --out A && circuitsim run five-problems --out B && python docs/pictures.py A B
"""

import base64
import re
import sys
from pathlib import Path

from circuitsim.analysis.reports.window_plot import draw_windows
from circuitsim.analysis.scores.windows import window_table

report = (Path(sys.argv[1]) / "report.html").read_text(encoding="utf-8")
images = re.findall(r'src="data:image/([a-z+]+);base64,([^"]+)"', report)
curves = next(data for kind, data in images if kind == "svg+xml")  # the first figure: test error
digits = next(data for kind, data in images if kind == "png")  # the only pixels: reconstructions
here = Path(__file__).parent
(here / "quickstart-curves.svg").write_bytes(base64.b64decode(curves))
(here / "quickstart-digits.png").write_bytes(base64.b64decode(digits))
(here / "five-problems.svg").write_bytes((Path(sys.argv[2]) / "figures" / "five-problems.svg").read_bytes())
draw_windows(window_table()).savefig(here / "windows.svg", metadata={"Date": None})
