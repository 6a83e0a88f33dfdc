"""The stream processors. Only this package imports Faust. One worker serves one State."""
