"""Several studies together: each rule's effect in every data set, on average, and in a new one."""
