"""Where Hydra looks for configurations besides normlab's own: ``configs`` of the working directory."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class NormlabSearchPath(SearchPathPlugin):
    """Adds the user's own folder behind normlab's: what is there adds to the groups, and replaces nothing."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        from normlab.core.design import config_dirs

        for folder in config_dirs()[1:]:
            search_path.append("own", f"file://{folder}")
