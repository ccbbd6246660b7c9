"""The sentence patterns, in order of precedence: the first that matches a whole clause decides its action.

`<T>` is the target, `<C>` a colour, `<P>` a place, `<S>` a shape to draw; text is as `phrases.normalised` leaves it.
"""

from __future__ import annotations

_MAKE = r"(?:make|turn|render|get|have|let|set|change|convert|transform|cause|keep)"
_FRACTION = r"(?:half|third|quarter|fifth|tenth)"
_MUCH = (
    rf"(?: (?:(?:by|to|about|a factor of|by a factor of) )?\d+(?:\.\d+)?(?: ?(?:percent|pixels?|times|"
    rf"degrees|stops?))?|"
    rf" (?:by|to) (?:about )?(?:an? |its |1 )?{_FRACTION}(?: (?:of )?(?:its|the|their) .+)?| slightly| a "
    rf"(?:bit|little|lot)| strongly|"
    r" much| significantly| considerably| dramatically| up| down)*"
)
_DEGREE = r"(?:(?:much|far|very|a bit|a little|a lot|slightly|somewhat|way|significantly|considerably|more|even) )*"
_LOOK = r"(?:(?:look|appear|be|become|seem|to look|to be|to become|feel)(?: like| as if it is| as if it were)? )?"
_FROM = r"(?:from .+? )?"
_INTO = r"(?:(?:in)?to )?"
_TAIL = r"(?: (?:instead|in colour|as|like|for|all over|colour|ones?|paint|tone|shade|tint)\b.*)?"
_NIGHT = (
    r"(?:night(?:time)?|(?:the )?sun (?:has |had )?(?:sets|set|gone down|goes down)|dark outside|midnight|"
    r"evening|dusk|moonlight)"
)
_DAY = r"(?:day(?:time|light)?|noon|midday|morning|sunny(?: day)?|dawn)"
_SNOW = r"(?:snow(?:y|ing|fall)?|winter(?:y|time)?|snow covered|covered in snow|blizzard)"
_RAIN = r"(?:rain(?:y|ing|fall|drops)?|storm(?:y)?|pouring|drizzle|thunderstorm)"
_FOG = r"(?:overcast|cloudy|fog(?:gy)?|mist(?:y)?|haz[ey]|smoky)"
_DUSK = r"(?:sunset|sunrise|golden hour)"
_AUTUMN = r"(?:autumn(?:al)?|fall colours|the fall)"
_WEATHER = {"night": _NIGHT, "snow": _SNOW, "rain": _RAIN, "fog": _FOG, "sunset": _DUSK, "autumn": _AUTUMN, "day": _DAY}

_SENTENCES: dict[str, tuple[str, ...]] = {
    "lights_off": (
        r"<T> (?:has|have|had|is|are|was|gets|got|goes|went)(?: been| now| just)? ?(?:switched |turned "
        r")?(?:off|out)(?: .+)?",
        r"(?:turn|switch|shut) off <T>",
        r"(?:turn|switch|shut) <T> off",
        r"(?:extinguish|put out|blow out|unplug|cut the power to|cut the power of) <T>",
    ),
    "lights_on": (
        r"<T> (?:has|have|had|is|are|was|gets|got|comes|came)(?: been| now| just)? ?(?:switched |turned )?on",
        r"(?:turn|switch) on <T>",
        r"(?:turn|switch) <T> on",
        r"(?:light up|light|ignite|illuminate|plug in) <T>",
        rf"{_MAKE} <T> (?:glow|shine|light up|lit)",
    ),
    "channels": (
        r"(?:swap|exchange|switch)(?: the)? (?P<word>(?:red|green|blue)(?: channel)? (?:and|with)(?: the)? "
        r"(?:red|green|blue)) "
        r"(?:colour )?channels?(?: .+)?",
    ),
    "swap_colours": (
        r"(?:swap|exchange|switch|interchange) the colours? of <T> (?:and|with) (?P<other>.+)",
        r"(?:swap|exchange|switch|interchange) the colours? (?:between|on) <T> and (?P<other>.+)",
    ),
    "swap": (
        r"(?:swap|exchange|switch|interchange|trade)(?: the)?(?: positions?| places?| locations?)?(?: of| "
        r"between)? <T> "
        r"(?:and|with|for) (?P<other>.+?)(?: around)?",
    ),
    "grey": (
        rf"{_MAKE} <T> (?:in|into|to)?(?: an?)? ?{_LOOK}(?:monochrome|colourless)(?: .+)?",
        r"(?:desaturate|decolou?ri[sz]e|grey out|grey) <T>",
        r"(?:remove|drain|take|strip) (?:all |all the |the )?colours?(?: away)? (?:from|of|out of|in) <T>",
        r"(?:apply|add|use) (?:a |the )?monochrome(?: filter| effect)?(?: to| on| in)? ?<T>?",
        r"monochrome <T>",
    ),
    "melt": (
        r"melt <T>",
        r"<T> (?:melts|melted|has melted|is melting)(?: .+)?",
        rf"{_MAKE} <T> {_LOOK}(?:melt|melted|melting)(?: .+)?",
    ),
    "remove": (
        r"hide <T> (?:behind|under|below|inside) .+",
        r"(?:remove|delete|erase|eliminate|take away|take out|get rid of|wipe out|wipe away|clear away|clear|"
        r"hide|cut out|"
        r"discard|eat|pop|drop out|rub out|edit out|clean up|inpaint) <T>(?: away| completely| entirely)?"
        r"(?: (?:from|out of) (?!the (?:left|right|top|bottom)).+)?",
        r"take <T> (?:away|out)",
        r"<T> (?:disappears|disappeared|vanishes|vanished|bursts|popped|pops|is (?:gone|removed|eaten|taken "
        r"away))(?: .+)?",
        rf"{_MAKE} <T> (?:disappear|vanish|invisible|go away|gone|pop|burst)(?: .+)?",
    ),
    "gravity": (
        r"(?:let|make|have) <T> (?:fall|drop|sink|land|fall down|drop down)(?: .+)?",
        r"<T> (?:falls|drops|fell|dropped|sinks|sank|has fallen|is falling|lands)(?: .+)?",
        r"(?:drop|let go of|release) <T>(?: (?:to|onto|on|down|from|so).*)?",
    ),
    "rise": (
        r"cut the (?:string|rope|cord|thread|ribbon)(?: .+)?",
        r"(?:the )?(?:string|rope|cord|thread) (?:is|was|has been|gets) (?:cut|released|untied)(?: .+)?",
        r"(?:let|make|have) <T> (?:rise|float|fly|go|hover|lift|soar)(?: up| upwards?| away| off)?(?: .+)?",
        r"<T> (?:rises|floats|rose|floated|has risen|is rising|flies|flew|takes off)(?: .+)?",
        r"(?:lift|raise|float|launch|hoist) <T>(?: (?:up|upwards?|higher|into|to|by|above|off).*)?",
    ),
    "rotate": (
        r"(?:rotate|spin|tilt|turn|tip|pivot|lean|topple|knock) <T>(?: over| around)? ?(?:by |through )?"
        r"(?:an? )?(?:\d+(?:\.\d+)? ?(?:degrees|deg)|quarter turn|half turn|upside down|clockwise|counter ?clockwise|"
        r"anti ?clockwise|to the (?:left|right)|over|around|sideways|on its side)(?: .+)?",
        r"(?:rotate|spin|tilt|pivot|topple|knock over|tip over) <T>",
        rf"{_MAKE} <T> (?:tilt|lean|topple|tip over|fall over|rotate|spin)(?: .+)?",
    ),
    "mirror": (
        r"(?:mirror|flip|reflect)(?: the)? <T>(?: (?:horizontally|vertically|upside down|left to right|left right|"
        r"top to bottom|around|over|along .+|across .+|about .+|from .+))?",
        r"(?:make|create) a mirror image of <T>(?: .+)?",
    ),
    "posterize": (r"posteri[sz]e <T>(?: .+)?", rf"{_MAKE} <T> {_LOOK}posteri[sz]ed"),
    "zoom": (
        r"crop(?: the (?:picture|image|photo))?(?: in)? (?:to|on|around) <T>",
        r"zoom in(?:to)?(?: (?:on|to))? ?<T>?(?: by .+)?",
    ),
    "contrast": (
        rf"(?:increase|raise|boost|enhance|improve|add|reduce|decrease|lower) (?:the )?contrast(?: (?:of|in|to|"
        rf"on) <T>)?{_MUCH}",
    ),
    "vivid": (
        rf"(?:increase|raise|boost|enhance) (?:the )?(?:saturation|vibrance|colours)(?: (?:of|in|to|on) <T>)?{_MUCH}",
        rf"saturate <T>{_MUCH}",
        rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:vivid|colourful|saturated|vibrant)",
    ),
    "faded": (
        rf"(?:reduce|decrease|lower) (?:the )?(?:saturation|vibrance|colours)(?: (?:of|in|to|on) <T>)?{_MUCH}",
        rf"(?:fade|mute|wash out|bleach) <T>{_MUCH}",
        rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:faded|muted|dull|duller|washed out|less (?:colourful|saturated|vivid))",
    ),
    "brighten": (
        rf"(?:increase|raise|boost|turn up) (?:the )?(?:brightness|exposure|lightness|light)(?: (?:of|in|to|on)"
        rf" <T>)?{_MUCH}",
        rf"(?:brighten|lighten)(?: up)? <T>{_MUCH}",
        rf"{_MAKE} <T> {_LOOK}(?:(?:\d+ percent) )?{_DEGREE}(?:brighter|lighter|bright){_MUCH}",
    ),
    "darken": (
        rf"(?:reduce|decrease|lower|turn down) (?:the )?(?:brightness|exposure|lightness|light)(?: (?:of|in|to|"
        rf"on) <T>)?{_MUCH}",
        rf"(?:darken|dim|shade|shadow) <T>{_MUCH}",
        rf"{_MAKE} <T> {_LOOK}(?:(?:\d+ percent) )?{_DEGREE}(?:darker|dimmer|dark|burnt|wet|charred){_MUCH}",
    ),
    "resize": (
        rf"(?:enlarge|magnify|grow|expand|inflate|blow up|scale up|increase|double|triple) (?:the )?(?:size of )?<T>"
        rf"(?: in size)?{_MUCH}",
        rf"(?:shrink|reduce|decrease|scale down|compress|deflate|halve|minimi[sz]e) (?:the )?(?:size of )?<T>"
        rf"(?: in size)?{_MUCH}",
        r"(?:resize|scale) <T> (?:to|by|up|down).*",
        rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:(?:\d+(?:\.\d+)? times|twice|half|\d+ percent|a third|a quarter) )?"
        r"(?:(?:bigger|larger|smaller|tinier|taller|shorter|wider|narrower|thinner|fatter|longer|flatter|grow|"
        r"shrink|expand|"
        r"inflate|deflate)(?: .+)?|(?:as )?(?:huge|tiny|big|large|small|tall|wide|high)(?: as (?:it|before|now).*)?)",
        rf"{_MAKE} <T> (?:double|twice|half|\d+ times|\d+ percent of) (?:its|the|their|of its) (?:\w+ "
        rf")?(?:size|height|width)",
        r"stretch <T>(?: .+)?",
        r"squash <T>(?: .+)?",
    ),
    "blur": (
        rf"(?:blur|soften|defocus|smooth|smear)(?: out)? <T>{_MUCH}",
        rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:blurred|blurry|blurrier|out of focus|soft|softer|smooth)",
        r"(?:apply|add) an? (?:gaussian )?blur(?: to| on) <T>",
    ),
    "sharpen": (
        rf"(?:sharpen|crispen|focus on|focus) <T>{_MUCH}",
        rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:sharper|crisper|sharp|crisp|clearer)",
    ),
    "pixelate": (r"(?:pixelate|pixeli[sz]e|mosaic|censor) <T>", rf"{_MAKE} <T> {_LOOK}(?:pixelated|blocky)"),
    "invert": (
        r"(?:invert|negate|reverse) (?:all )?(?:the )?(?:colours? (?:of|in) )?<T>(?: colours?)?",
        rf"{_MAKE} <T> (?:in|into|to)?(?: an?)? ?{_LOOK}(?:inverted|negative)(?: .+)?",
    ),
    "sepia": (
        rf"{_MAKE} <T> (?:in|into|to|with)?(?: an?)? ?{_LOOK}(?:an? )?(?:sepia|old fashioned|vintage|antique|"
        rf"old)(?: .+)?",
        r"(?:apply|add|give|use) (?:an? |the )?(?:sepia|vintage|old fashioned)(?: tone| effect| filter| look)?"
        r"(?: (?:to|on|in) <T>)?",
        r"give <T> an? (?:sepia|vintage|old fashioned)(?: .+)?",
        r"(?:sepia(?: tone)?|age) <T>",
    ),
    "warmer": (rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:warmer|warm)(?: .+)?", r"warm(?: up)? <T>"),
    "cooler": (
        rf"{_MAKE} <T> {_LOOK}{_DEGREE}(?:cooler|colder|cool|cold|frozen|icy)(?: .+)?",
        r"(?:cool(?: down)?|chill|freeze) <T>",
    ),
    **{
        name: (
            rf"{_MAKE} (?:it|<T>) (?:in|into|to|as|at)?(?: an?| the)? ?{_LOOK}(?:at |an? |in |it is |it were |"
            rf"taken (?:at|in) )?"
            rf"{words}(?: time| scene| day| landscape)?(?: .+)?",
            rf"(?:change|set|switch|turn) (?:the )?(?:time(?: of day)?|season|weather|lighting|day|scene|sky).* "
            rf"(?:to|into) "
            rf"(?:an? |the )?{words}(?: .+)?",
            rf"(?:add|put|create|insert|show|paint|cover \w+ \w+ (?:with|in)) (?:some |a |an |light |heavy |"
            rf"falling |layer of )*{words}"
            r"(?: .+)?",
            rf"(?:let|make|have|show|draw|depict)(?: us| me)?(?: it| (?:the|this)(?: same)? "
            r"(?:scene|picture|place))?"
            rf"(?: in| at| during)?(?: an?| the)? {words}(?: .+)?",
            rf"(?:(?:let|make) it |it (?:is|gets|starts to|begins to|has) (?:been )?)?{words}(?: .+)?",
        )
        for name, words in _WEATHER.items()
    },
    "border": (
        r"(?:add|draw|put) (?:an? )?(?:thick |thin )?(?:<C> )?(?:thick |thin )?(?:border|frame|outline)(?: "
        r"(?:around|to|on) <T>)?",
        r"(?:outline|frame|highlight|circle) <T>(?: (?:in|with)(?: an?)? <C>(?: .+)?)?",
    ),
    "duplicate": (
        r"(?:duplicate|copy|clone|repeat|replicate) <T>(?: (?:and .+? )?(?P<place>(?:to|on|at|in|next|below|"
        r"above|into|left|"
        r"right|beside|under) ?.*))?",
        r"(?:add|draw|make|create|place) (?:another|a 2nd|a second|a copy of|an extra|1 more) (?P<target>.+?)"
        r"(?: (?P<place>(?:to|on|at|in|next|below|above|into|left of|right of|beside|under) .+))?",
    ),
    "replace": (
        r"(?:replace|exchange|substitute) <T> (?:with|by|for) <S>(?: of .+)?",
        r"(?:turn|transform|change|convert|make) <T> (?:in)?to <S>",
    ),
    "add": (
        r"(?:add|draw|insert|create) (?P<word>[a-z ]+?)"
        r"(?: (?P<place>(?:to|on|at|in|next|below|above|into|inside|left of|right of|beside|under|over|near) .+))?",
        r"(?:add|draw|insert|place|put|create|paint) (?:an? |some )(?P<word>.+?)"
        r"(?: (?P<place>(?:to|on|at|in|next|below|above|into|inside|left of|right of|beside|under|over|near) .+))?",
    ),
    "recolour": (
        rf"(?:change|set|turn|switch|make|shift) the colours? of <T> {_FROM}{_INTO}(?:be )?(?:an? )?<C>{_TAIL}",
        rf"(?:change|turn|recolour|make|convert|shift|set|alter) <T>(?:'s)? colour {_FROM}{_INTO}(?:an? )?<C>{_TAIL}",
        r"(?:replace|substitute|change) the colour of <T> (?:with|by|to) <C>",
        rf"(?:change|turn|make|shift) <T> from .+? (?:in)?to (?:an? )?<C>{_TAIL}",
        r"(?:replace|swap|exchange|substitute) <T> (?:with|by|for) (?:an?|the)?(?: \w+)?? ?<C>(?: .+)?",
        rf"(?:paint|colour|recolour|dye|tint|fill|cover|spray|stain) <T> (?:in |with |to |into )?(?:an? )?<C>{_TAIL}",
        rf"{_MAKE} <T> (?:in|into|to)?(?: an?)? ?{_LOOK}{_DEGREE}<C>{_TAIL}",
        r"give <T> an? <C>(?: .+)?",
        r"(?:show|let|have|make) <T> <C>",
        rf"(?:the )?<T> (?:should|must|ought to|needs to|has to|shall) (?:be|become|turn|look|show) (?:in )?<C>{_TAIL}",
        r"use <C> for <T>",
        r"(?:make|let|have) <T> (?:show|display|wear|signal|carry) (?:an? )?(?:the )?<C>(?: .+)?",
        r"dress <T> in (?:an? )?<C>(?: .+)?",
    ),
    "mature": (
        rf"(?:{_MAKE} )?<T> (?:{_LOOK})?(?P<word>ripe|ripen|rusty|rust|rusted|wilted|withered|unripe|dried|dry|"
        rf"golden)",
        r"(?P<word>ripen|rust|wither|dry) <T>",
    ),
    "move": (
        r"(?:move|shift|slide|push|drag|put|place|bring|relocate|pull|carry|reposition|set|roll|throw|kick|transfer) "
        r"(?P<target>.+)(?<!next)(?<!close)(?<!closer) (?P<place>(?:to|onto|into|towards?) .+)",
        r"(?:move|shift|slide|push|drag|put|place|bring|relocate|pull|carry|reposition|set|roll|throw|kick|"
        r"transfer|stack|hang) "
        r"<T>(?: (?:slightly|a bit|a little|much|far|further|closer|directly|right))? "
        r"(?P<place>(?:left|right|up|down|upwards?|downwards?|leftwards?|rightwards?|higher|lower|next to|"
        r"above|below|under|"
        r"underneath|beneath|over|beside|by|near|on top of|on|in|inside|at|close to|closer to|to|between)(?: .+)?)",
        r"(?P<place>cent(?:re|er)) <T>",
        r"(?:lower) (?P<target>.+)",
    ),
}
PATTERNS: tuple[tuple[str, str], ...] = tuple((a, p) for a, patterns in _SENTENCES.items() for p in patterns)
DEFAULTS = {"rise": "the balloon", "lights_off": "the light", "lights_on": "the light"}
VERB = (
    r"(?:make|turn|render|let|set|change|convert|transform|switch|shut|extinguish|put|blow|light|ignite|"
    r"swap|exchange|"
    r"interchange|desaturate|remove|delete|erase|eliminate|take|get|wipe|clear|hide|cut|melt|drop|release|lift|raise|"
    r"launch|rotate|spin|tilt|tip|flip|mirror|reflect|enlarge|magnify|grow|expand|inflate|scale|shrink|"
    r"reduce|decrease|"
    r"increase|boost|double|triple|halve|resize|stretch|squash|zoom|saturate|fade|brighten|lighten|darken|"
    r"dim|blur|soften|"
    r"sharpen|pixelate|invert|apply|give|sepia|warm|cool|add|draw|insert|create|outline|frame|highlight|"
    r"duplicate|copy|"
    r"clone|replace|paint|colour|recolour|dye|tint|fill|cover|move|shift|slide|push|drag|place|bring|"
    r"relocate|pull|keep|"
    r"leave|do not|don't|ensure)"
)
PREFACE = (
    r"^(?:(?:show|draw|depict|imagine|illustrate|predict|visuali[sz]e|render|edit the (?:picture|image) "
    r"to show|what)(?: me| us)? )?"
    r"(?:(?:what|how|that|the (?:scene|picture|image|result|moment|state|world))(?: .+?)? )?(?:when|after|"
    r"if|once|as if|where|that) "
)
CONSTRAINT = (
    r"(?:^|,? (?:and|but|while|without|so that|because|since|as if|such that)? ?)(?:keep(?:ing)?|leav(?:e|"
    r"ing)|do not|don't|"
    r"without|ensur(?:e|ing)|preserv(?:e|ing)|nothing else|no other) .*$|,? (?:so that|because|since|so "
    r"the|so it|so they|as though) .*$"
)
STATE = r"(?:is|are|was|were|be|been|look|looks|looking|appear|appears|become|becomes|became|has|have|had|gets|got)"
