"""What no text may say: the words that name a drug, a dose, an illness or a kind of clinic, in each language."""

from __future__ import annotations

import re

_ANYWHERE = r"""
    methad | metadon | buprenorphin | suboxone | subutex | naloxon | narcan | heroin | opioid | opiate | antiretrovir
  | hepatit | tubercul | medicin | medicat | medical | prescri | pharma | clinic | hospital | treatment | rehab | addict
  | patient | doctor | dosing | dispens | bottle | take-?home | needle | syringe
  | klinik | farmasi | doktor | jururawat | rawatan | pesakit | penagih | penyakit | kesihatan | terapi | preskrip
  | suntik | jarum | dadah | botol
  | 美沙酮 | 海洛因 | 阿片 | [药藥毒剂劑诊診医醫疗療病戒瓶针針瘾癮] | [护護]士 | [艾愛]滋 | 肝炎 | [结結]核 | [处處]方
"""
_ALONE = r"""
    drugs? | doses? | dosed | tablets? | pills? | nurses? | therapy | diseases? | illness | health | hiv | aids | tb
  | hep | hcv | hbv | art | mat | ost | mmt | mg | ml | dos | ubat | sakit | pil
"""
_REVEALING = re.compile(rf"(?:{_ANYWHERE}) | (?<![a-z]) (?:{_ALONE}) (?![a-z])", re.VERBOSE)


def reveals(text: str) -> str:
    """The first word in the text that gives the treatment away; empty when none does.

    Long stems count anywhere, so that `methadoneclinic.example` in a link is found; short words count alone.
    """
    found = _REVEALING.search(text.casefold())
    return found.group() if found else ""
