"""A second reader of Layerlock's formats, written from the pages in `proto/spec` alone.

It shares no line with the Rust reader and no library under it: where both end alike on a file, the page was enough.
It opens and refuses. It seals only to give both readers something to disagree on, and keeps no secret safe: nothing of
a product may depend on it.
"""
