"""What the commands of ``ic-assets`` do; ``ic_assets.cli`` parses their arguments and imports them when called."""
