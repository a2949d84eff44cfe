"""Builds and installs openspp-ftpd. The version is written in openspp_ftpd/__init__.py alone."""

import runpy
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

setup(
    name="openspp-ftpd",
    version=runpy.run_path(str(HERE / "openspp_ftpd" / "__init__.py"))["__version__"],
    description="Scan gateway: scanners send by FTP or FTPS, the scan arrives in OpenSPP",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="OpenSPP",
    license="Apache-2.0",
    packages=find_packages(include=["openspp_ftpd", "openspp_ftpd.*"]),
    package_data={"": ["py.typed", "*.html", "*.css", "*.js", "*.svg", "*.json"]},
    python_requires=">=3.11",
    install_requires=["pyftpdlib>=2.2.0", "requests", "pyopenssl", "systemd-python"],
    extras_require={"metrics": ["prometheus-client"]},
    entry_points={"console_scripts": ["openspp-ftpd = openspp_ftpd.cli:main"]},
    classifiers=[
        "Environment :: No Input/Output (Daemon)",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Topic :: Internet :: File Transfer Protocol (FTP)",
        "Typing :: Typed",
    ],
)
