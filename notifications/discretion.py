"""What no text may say: the words that name a drug, a dose, an illness or a kind of clinic, in each language.

A script without spaces has no words that stand alone: there the compound counts, and a short word that is a part of
harmless ones (Thai ยา within อยาก) counts only where nothing of its script stands beside it. `_` stands for a space.
"""

from __future__ import annotations

import re

from notifications.scripts import as_read

_ANYWHERE = """
    methad metadon mêtadon buprenorphin suboxone subutex naloxon narcan heroin
    opioid opiate antiretrovir
    hepatit tubercul medicin medicat medical prescri pharma clinic hospital
    treatment rehab addict patient
    doctor dosing dispens bottle take-home takehome needle syringe klinik
    farmasi doktor jururawat rawatan
    pesakit penagih penyakit kesihatan terapi preskrip suntik jarum dadah botol
    puskesmas apotek pasien
    pecandu narkoba pengobatan perawat dokter kesehatan dosis ospital botika
    pasyente paggamot kalusugan
    droga manggagamot botelya thuốc phòng_khám bệnh điều_trị bác_sĩ ma_tuý
    ma_túy ma_tuy nghiện y_tá y_tế
    kim_tiêm viêm_gan phong_kham dieu_tri bac_si nghien 美沙酮 海洛因 阿片 药 藥 毒 剂 劑 诊
    診 医 醫 疗 療 病 戒 瓶 针 針 瘾 癮 护士 護士
    艾滋 愛滋 肝炎 结核 結核 处方 處方 เมทาโดน เมธาโดน เฮโรอีน คลินิก โรงพยาบาล แพทย์ หมอ
    พยาบาล ผู้ป่วย คนไข้ ยาเสพติด
    เสพติด รับยา กินยา จ่ายยา ให้ยา ขวดยา เม็ดยา เบิกยา รักษาโรค รักษาพยาบาล
    รักษาอาการ บำบัด โรค เอดส์
    วัณโรค ตับอักเสบ เข็มฉีด ເມທາໂດນ ເຮໂຣອີນ ຄລີນິກ ໂຮງໝໍ ໝໍ ພະຍາບານ ຄົນເຈັບ
    ຢາເສບຕິດ ຕິດຢາ ກິນຢາ ຮັບຢາ
    ພະຍາດ ປິ່ນປົວ ເອດສ໌ ວັນນະໂລກ ຕັບອັກເສບ មេតាដូន ហេរ៉ូអ៊ីន គ្លីនិក
    មន្ទីរពេទ្យ ពេទ្យ គិលានុបដ្ឋាក អ្នកជំងឺ
    ជំងឺ ថ្នាំ គ្រឿងញៀន ញៀន ព្យាបាល អេដស៍ របេង រលាកថ្លើម ម្ជុល မက်သဒုန်း ဘိန်း
    ဆေး ဆရာဝန် သူနာပြု လူနာ ရောဂါ
    ကုသ မူးယစ် အပ်စိုက် အသည်းရောင် ပုလင်း மெத்தடோன் ஹெராயின் மருந்து மருத்துவ
    மருந்தக நோய் நோயாளி சிகிச்சை
    கிளினிக் போதை மாத்திரை ஊசி டாக்டர் செவிலி எய்ட்ஸ் காசநோய் புட்டி
"""
_ALONE = r"""
    drugs? | doses? | dosed | tablets? | pills? | nurses? | therapy | diseases? | illness | health | hiv | aids | tb
  | hep | hcv | hbv | art | mat | ost | mmt | mg | ml | dos | ubat | sakit | pil | obat | gamot | nars | adik | liều
  | thuoc | benh
"""
_BETWEEN_OTHERS = {"ยา": "\u0e00-\u0e7f", "ຢາ": "\u0e80-\u0eff"}
_STEMS = tuple(as_read(stem).replace("_", " ") for stem in _ANYWHERE.split())
_REVEALING = re.compile(
    rf"(?<![^\W\d_]) (?:{_ALONE}) (?![^\W\d_])"
    + "".join(f" | (?<![{script}]){word}(?![{script}])" for word, script in _BETWEEN_OTHERS.items()),
    re.VERBOSE,
)


def reveals(text: str) -> str:
    """The first word in the text that gives the treatment away; empty when none does.

    Long stems count anywhere, so that `methadoneclinic.example` in a link is
    found; short words count alone.
    """
    read = as_read(text)
    stem = next((stem for stem in _STEMS if stem in read), "")
    found = None if stem else _REVEALING.search(read)
    return found.group() if found else stem
