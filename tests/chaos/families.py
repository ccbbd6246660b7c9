"""All families of faults, in the order in which a suite runs them."""

from chaos import (
    datafiles,
    equality,
    hostile_runs,
    hostile_yaml,
    inputs,
    iofaults,
    kills,
    parents,
    pictures,
    powercut,
    processes,
    races,
    storms,
)
from chaos.family import Family

FAMILIES: dict[str, Family] = {
    "kills": kills.FAMILY,
    "powercuts": powercut.FAMILY,
    "iofaults": iofaults.FAMILY,
    "workers": storms.FAMILY,
    "equality": equality.FAMILY,
    "parents": parents.FAMILY,
    "processes": processes.FAMILY,
    "writers": races.FAMILY,
    "inputs": inputs.FAMILY,
    "pictures": pictures.FAMILY,
    "datafiles": datafiles.FAMILY,
    "configurations": hostile_yaml.FAMILY,
    "runs": hostile_runs.FAMILY,
}
