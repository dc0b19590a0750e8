"""The web panel: buckets, rights and data in a browser.

It speaks to the server over HTTP as the command line does (`neve.client`), with the keys of whoever
is logged in, or with none: what the panel may do is decided where it is decided for everybody else.
"""
