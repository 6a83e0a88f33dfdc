"""The open Asks of a State, as they are now: follows the entries of the conversations, and the law behind them."""
