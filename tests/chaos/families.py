"""All families of faults, in the order in which a suite runs them."""

from chaos import datafiles, equality, inputs, iofaults, kills, parents, pictures, powercut, races, storms
from chaos.family import Family

FAMILIES: dict[str, Family] = {
    "kills": kills.FAMILY,
    "powercuts": powercut.FAMILY,
    "iofaults": iofaults.FAMILY,
    "workers": storms.FAMILY,
    "equality": equality.FAMILY,
    "parents": parents.FAMILY,
    "writers": races.FAMILY,
    "inputs": inputs.FAMILY,
    "pictures": pictures.FAMILY,
    "datafiles": datafiles.FAMILY,
}
