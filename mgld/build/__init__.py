"""The build: stages from a GLDv2 source to a loadable dataset, their manifest and their runners.

`build_dataset(config, out)` makes or completes a build, `BuildView(out)` reads it,
`build_status(out)` accounts for it and `verify_build(out)` checks it. Parts: `config`, `manifest`,
`source` (what is there), `plan` (what is to do), `stages` (what a shard is), `annotating` (what a
model is asked before), `runner` (where it is made), `folder` and `driver` (what is recorded).
"""

from mgld.build.config import BuildConfig, load_config
from mgld.build.driver import BuildError, BuildStoppedError, build_dataset
from mgld.build.manifest import Manifest
from mgld.build.read import BuildView
from mgld.build.status import BuildStatus, build_status
from mgld.build.verify import Verification, verify_build

__all__ = [
    "BuildConfig",
    "BuildError",
    "BuildStatus",
    "BuildStoppedError",
    "BuildView",
    "Manifest",
    "Verification",
    "build_dataset",
    "build_status",
    "load_config",
    "verify_build",
]
