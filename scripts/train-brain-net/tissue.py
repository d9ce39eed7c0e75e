"""The classes of tissue that are drawn, and the labels of the maps that belong to them."""

import enum


class Tissue(enum.IntEnum):
    AIR = 0
    WHITE = 1
    CORTEX = 2
    DEEP_GREY = 3
    VENTRICLE = 4
    CEREBELLAR_WHITE = 5
    CEREBELLAR_CORTEX = 6
    STEM = 7
    FLUID = 8
    DURA = 9  # with the fluid next to bone
    VEIN = 10
    ARTERY = 11
    EYE = 12
    EYE_MUSCLE = 13  # with the optic nerve
    MUCOSA = 14
    SKIN = 15
    FAT = 16  # below the skin
    MUSCLE = 17
    SOFT = 18  # planes of fat between muscles
    BONE = 19
    MARROW = 20
    CORD = 21
    LESION = 22


LABELS = {
    Tissue.WHITE: (2, 41),
    Tissue.CORTEX: (3, 42),
    Tissue.DEEP_GREY: (10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58, 136, 137, 163, 164),
    Tissue.VENTRICLE: (4, 5, 43, 44, 14, 15, 72),
    Tissue.CEREBELLAR_WHITE: (7, 46),
    Tissue.CEREBELLAR_CORTEX: (8, 47),
    Tissue.STEM: (16, 28, 60, 85),
    Tissue.FLUID: (24, 30, 62),
    Tissue.VEIN: (514,),
    Tissue.ARTERY: (502,),
    Tissue.EYE: (506,),
    Tissue.EYE_MUSCLE: (508, 530),
    Tissue.MUCOSA: (509,),
    Tissue.SKIN: (511,),
    Tissue.MUSCLE: (507,),
    Tissue.BONE: (515,),
    Tissue.MARROW: (516,),
    Tissue.CORD: (512,),
    Tissue.LESION: (25, 57, 77),
}
