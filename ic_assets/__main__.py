"""``python -m ic_assets`` is ``ic-assets``."""

from ic_assets.cli import main

main()
