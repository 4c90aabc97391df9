"""Map the plugin folders beside the package to importable names.

Everything else is in pyproject.toml.
"""

from setuptools import find_packages, setup

OUTSIDE = {"benchbox_methods": "methods", "benchbox_protocols": "protocols"}
packages = find_packages(include=["benchbox", "benchbox.*"])
for name, folder in OUTSIDE.items():
    packages += [name, *(f"{name}.{inner}" for inner in find_packages(folder))]
setup(packages=packages, package_dir=dict(OUTSIDE))
