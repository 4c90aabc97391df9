"""Map the plugin folders beside the package to importable names.

Everything else is in pyproject.toml.
"""

from pathlib import Path

from setuptools import find_packages, setup

OUTSIDE = {"benchbox_methods": "methods", "benchbox_protocols": "protocols"}
packages = find_packages(include=["benchbox", "benchbox.*"])
for name, folder in OUTSIDE.items():
    inner = set(find_packages(folder))
    # a method that an adapter runs has a card and no code
    inner |= {card.parent.name for card in Path(folder).glob("*/method.toml")}
    packages += [name, *(f"{name}.{package}" for package in sorted(inner))]
setup(packages=packages, package_dir=dict(OUTSIDE))
