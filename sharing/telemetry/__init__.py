"""What programs tell about themselves: logs, traces, histograms."""
