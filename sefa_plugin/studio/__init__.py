"""The studio: a page in the browser to look at directions, move along them, and keep, name and record what is found.

In: open networks (``Session``) and what a browser sends: ``state``, checked as plain data. Out: pictures, recipes,
names and outputs, all made by ``runs`` and ``rendering``. ``network`` is one network with its directions, whose scored
effects are ``attributes``, ``gallery``, ``presets`` and ``recording`` its outputs on disk, ``bundle`` these in one
file to pass on, ``photographs`` those that are projected into it, ``lines`` the same as text; ``stage`` is what pages
share with controllers, ``osc`` messages of these; ``turns`` renders one picture at a time, ``guard`` refuses requests
from elsewhere, ``sharing`` bounds those of strangers, ``server`` answers the others, ``serving`` opens their address.
The page itself is ``static``.

Doors: ``bundle``, ``server``, ``serving``, ``guard``.
"""
