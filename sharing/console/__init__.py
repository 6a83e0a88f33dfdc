"""What a State's officers work with, whether at the command line or at the desk: Asks, items, the law behind them."""
