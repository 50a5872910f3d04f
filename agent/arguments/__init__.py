"""What each command takes. Nothing but argparse: ``--help`` must not wait."""
