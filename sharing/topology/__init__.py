"""Who shares a cluster, what each may do on it, how large it must be; in the forms that others read."""
