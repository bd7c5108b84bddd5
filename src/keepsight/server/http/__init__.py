"""HTTP interface of the hub: routes, events, access control, and the page."""
