"""The words of which sentences such as "no picture was shown to me" consist, per language: data of `prose`.

A code per kind of word; what is in none of them is about something else than the lack of a picture or of a judgement.
    N picture   F file, data   A edited, second (before N)   E the same, behind N   D the, any, both (before N)
    X no, without   Z not, never   W cannot, impossible   M missing   S broken (of files)   K nothing   Y anything
    G see, load, visible   H provide, attach   I contain   C message, prompt   P in, to   O and, or   L is, I, so
    J judge, score   Q possible, enough   T edit, this
"""

from __future__ import annotations

from collections.abc import Mapping

SPACED: tuple[Mapping[str, str], ...] = (
    {  # English
        "N": "image images picture pictures photo photos photograph photographs visual visuals screenshot screenshots",
        "F": "file files data attachment attachments url urls link links input inputs",
        "A": "edited original source second first other target actual modified output reference before after "
        "required necessary relevant",
        "D": "the a an any this these those your my its two one such",
        "X": "no without neither none zero",
        "Z": "not never don't doesn't didn't isn't aren't wasn't weren't haven't hasn't hadn't won't wouldn't fail "
        "fails failed failing nor",
        "W": "cannot can't couldn't unable impossible insufficient inability",
        "M": "missing absent unavailable inaccessible nonexistent",
        "S": "broken corrupt corrupted empty invalid damaged unreadable blank",
        "K": "nothing",
        "Y": "anything",
        "G": "see seen saw view viewed viewing find found load loaded loading open opened access accessed accessible "
        "display displayed visible available present exist exists come came through arrive arrived there here "
        "have read retrieve retrieved fetch fetched process render rendered download downloaded decode decoded "
        "look appear",
        "H": "provide provided give given supply supplied attach attached upload uploaded send sent share shared "
        "submit submitted receive received get got show shown pass passed",
        "I": "contain contains contained include includes included",
        "C": "message prompt request conversation chat context query",
        "P": "in to with from within at for",
        "O": "and or nor",
        "L": "both either all that is are was were be been being has had do does did am i'm i've i i'd we we've you "
        "me us to so but because since as unfortunately however therefore thus only also guess guessing just "
        "yet actually currently",
        "J": "judge judged judging judgement judgment judgements score scored scores scoring rate rated rating "
        "ratings grade graded grading evaluate evaluated evaluating evaluation assess assessed assessing "
        "assessment decide decided decision verdict",
        "Q": "possible able enough sufficient can could information position made make assign assigned determine "
        "determined produce produced offer offered reach reached form",
        "T": "edit edits it result",
    },
    {  # German
        "N": "bild bilder bildern foto fotos bilddatei bilddateien",
        "A": "bearbeitete bearbeitetes bearbeiteten originale originalen ursprüngliche zweite zweites erste erstes",
        "D": "das die der dem den ein eine einen beide beiden zwei diese dieses",
        "X": "kein keine keinen keiner keines keinerlei ohne weder",
        "Z": "nicht nie",
        "W": "unmöglich",
        "M": "fehlt fehlen fehlend fehlende unsichtbar",
        "G": "sehen sehe sichtbar vorhanden da gibt geladen laden öffnen geöffnet anzeigen angezeigt verfügbar "
        "zugriff auf erkennen gefunden",
        "H": "bereitgestellt angehängt übermittelt hochgeladen beigefügt geschickt gesendet erhalten bekommen "
        "gegeben gezeigt mitgeschickt übergeben vorgelegt",
        "C": "nachricht anfrage prompt",
        "P": "in im zu zur",
        "O": "und oder noch",
        "L": "ich wir mir uns es wurde wurden ist sind war waren habe haben werden hier leider weil also zu lassen "
        "lässt",
        "J": "bewerten bewertung bewertet beurteilen beurteilung beurteilt einschätzen",
        "Q": "möglich kann können konnte konnten genug informationen sich",
        "T": "bearbeitung dies",
    },
    {  # French
        "N": "image images photo photos photographie photographies",
        "A": "deuxième seconde première",
        "E": "modifiée modifiées éditée éditées originale originales source",
        "D": "la le les l' une un des d' de deux cette ces",
        "X": "aucune aucun sans",
        "Z": "ne n' pas jamais",
        "W": "impossible",
        "M": "absente absentes manquante manquantes manque manquent introuvable introuvables indisponible "
        "indisponibles",
        "G": "voir vois vu voit visible visibles disponible disponibles affichée affichées charger chargée chargées "
        "ouvrir accéder accès y présente présentes",
        "H": "fournie fournies fourni jointe jointes transmise transmises reçu reçue reçues envoyée envoyées donnée "
        "données montrée montrées",
        "C": "message requête",
        "P": "dans à",
        "O": "et ou ni",
        "L": "je j' il a ai ont est sont été m' me nous vous avez en ici malheureusement donc car",
        "J": "évaluer évaluée évaluation noter note juger jugement",
        "Q": "possible peux peut puis pu donner",
        "T": "modification retouche",
    },
    {  # Spanish
        "N": "imagen imágenes imagenes foto fotos fotografía fotografías",
        "A": "segunda primera",
        "E": "editada editadas original originales fuente",
        "D": "la las el los una un unas dos ambas esta estas",
        "X": "ninguna ningún sin",
        "Z": "no nunca ni",
        "W": "imposible",
        "M": "falta faltan ausente ausentes",
        "G": "hay ver veo visto ve visible visibles disponible disponibles abrir cargar cargado cargó cargaron "
        "existe existen acceso presente presentes acceder encuentro",
        "H": "proporcionó proporcionado proporcionada proporcionadas adjuntó adjuntado adjuntada adjuntadas recibí "
        "recibido recibida recibidas suministró suministrado enviado enviada enviadas dado mostrado mostrada "
        "mostradas",
        "C": "mensaje solicitud",
        "P": "en a al",
        "O": "y o ni",
        "L": "se ha han he fue fueron está están es son me yo aquí lamentablemente tengo porque que",
        "J": "evaluar evaluación calificar calificación puntuar puntuación juzgar",
        "Q": "posible puedo puede pude pudo pudieron dar",
        "T": "edición esto",
    },
    {  # Russian
        "N": "изображение изображения изображений изображению картинка картинки картинок картинку картинке фото "
        "фотография фотографии фотографий фотографию",
        "A": "исходное исходного исходные исходных отредактированное отредактированного отредактированные второе "
        "второго первое первого",
        "D": "эти это этого оба обе никакого никаких",
        "X": "без ни",
        "Z": "не",
        "W": "невозможно нельзя",
        "M": "нет нету отсутствует отсутствуют недоступно недоступны",
        "G": "вижу видно видны видеть увидеть открыть загрузить просмотреть показано показаны отображается "
        "отображаются найдено найдены загрузилось загрузились открывается",
        "H": "предоставлено предоставлены предоставили приложено приложены загружено загружены прикреплено "
        "прикреплены получил получила получено получены передано переданы отправлено отправлены дано",
        "C": "сообщении запросе",
        "P": "в",
        "O": "и или",
        "L": "я мне мы нам вы был было были была одного одной здесь удалось поэтому",
        "J": "оценить оценка оценку оценки судить",
        "Q": "возможно могу может данных информации недостаточно",
        "T": "правку редактирование",
    },
    {  # Arabic
        "N": "صور صورة الصور الصورة صورتان صورتين الصورتان الصورتين",
        "E": "المعدلة الأصلية الثانية الأولى",
        "D": "أي هذه",
        "X": "بدون دون",
        "Z": "لا لم لن ليس ليست غير ما",
        "W": "مستحيل يستحيل",
        "M": "مفقودة مفقودتان ناقصة غائبة",
        "G": "توجد يوجد موجودة متوفرة متاحة أرى أر رؤية مرئية عرض تظهر تحميل فتح",
        "H": "توفير تقديم إرفاق إرسال مرفقة تُرفق ترفق أتلق أستلم تصلني",
        "C": "الرسالة الطلب",
        "P": "في",
        "O": "و أو",
        "L": "يتم تتم هناك هنا أنا لي من",
        "J": "تقييم التقييم الحكم تقييمه تقييمها",
        "Q": "يمكن يمكنني أستطيع ممكن",
        "T": "التعديل هذا",
    },
)
UNSPACED: tuple[Mapping[str, str], ...] = (
    {  # Chinese
        "N": "图片 图像 照片 影像 原图 编辑图 图",
        "F": "文件 数据 链接",
        "A": "编辑后的 编辑后 原始 第二张 第一张 源",
        "D": "任何 这些 这 该 两张 一张 张 您的 你的",
        "X": "没有 没 无",
        "Z": "未 并未 尚未 未能",
        "W": "无法 不能 不可能",
        "M": "缺失 不存在 不可见 不可用 看不到 看不见 丢失 缺少",
        "S": "损坏 为空 失效 无效",
        "G": "看到 看见 显示 查看 访问 打开 加载 存在 读取",
        "H": "提供 上传 收到 附上 附加 给出 给我 发送 接收",
        "L": "我 您 你 被 因为 由于 所以 因此 这里 可供 的 了 都 均 到 成功",
        "J": "评分 打分 评价 评估 评判 判断 分数",
        "Q": "可能 能 可以 进行 给出 足够 信息",
        "T": "编辑 本次",
    },
    {  # Japanese
        "N": "画像 写真 イメージ",
        "A": "編集後の 元の 2枚目の 編集された",
        "D": "この その 両方の",
        "X": "なし 無し",
        "Z": "されていません されていない ていません ていない ません",
        "W": "できません できない 不可能 不可",
        "M": "ありません がない 存在しません 見えません 見えない 見当たりません 表示されません 見られません",
        "G": "表示 読み込め 開け 見 確認 認識",
        "H": "提供 添付 送信 アップロード 受け取っ 届い 共有",
        "L": "が は も を です ので ため 私に 私 こと する",
        "J": "評価 採点 判定 判断",
        "Q": "可能",
        "T": "編集",
    },
    {  # Korean
        "N": "이미지 사진 그림",
        "A": "편집된 원본 두번째",
        "D": "어떤 두 아무",
        "X": "없이",
        "Z": "않았습니다 않습니다 않음 못했습니다 않았어요",
        "W": "불가능 불가",
        "M": "없습니다 없음 없어요 없다 누락되었습니다",
        "G": "보이지 볼 열 확인할 표시되지",
        "H": "제공되지 첨부되지 업로드되지 전달되지 받지",
        "L": "가 이 를 을 는 은 도 들 수 합니다 입니다 제공된 저는 하지",
        "J": "평가 채점 판단 점수",
        "Q": "할",
        "T": "편집",
    },
)
PLACEHOLDER = "placeholder dummy example sample template lorem ipsum tbd todo your random"
"""One of these, and nothing but these and the next."""
PLACEHOLDER_BESIDE = (
    "reasoning reason explanation text value values output reply answer response format here goes of the this is a "
    "an just only for short one sentence insert in json score scores"
)
