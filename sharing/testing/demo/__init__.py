"""The demo: the whole bus on sample data, with one gate process for each of four States."""
