"""Methods compared over data sets, causally and with intervals: what `keepsight bench` runs."""
