"""The program as it would be without the second wall: each unit of work sees every site, as the owner of the tables.

For the measurement beside it (wall.py) and for nothing else. Run as `python -m benchmarks.unwalled serve --no-jobs`.
"""

from __future__ import annotations

from dispensary import database
from dispensary.cli import main

if __name__ == "__main__":
    database.in_view = lambda: None
    main()
