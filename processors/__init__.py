"""The stream processors: the only importer of Faust. One worker serves one State."""
