"""fmcctl: one module per noun."""
