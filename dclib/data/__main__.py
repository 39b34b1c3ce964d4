"""python -m dclib.data list, or fetch DEST [NAME …]"""

import sys

from dclib.data import main

sys.exit(main())
