"""Looking after applications on a target of any kind. Others know this room by its stages and by `Place`."""

from container_kit.stages.operate.place import Place, Places
from container_kit.stages.operate.stages import GoBack, ListDeployments, ReadLog, RemoveDeployment

__all__ = ["GoBack", "ListDeployments", "Place", "Places", "ReadLog", "RemoveDeployment"]
