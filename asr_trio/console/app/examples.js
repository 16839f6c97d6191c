// @ts-check
/** Grammars to begin with. @module */

/** @type {Record<string, string>} */
export const EXAMPLES = {
  'Pizza order (ABNF)': `#ABNF 1.0 UTF-8;
language en-US;
mode voice;
root $order;
tag-format <semantics/1.0>;

// "a large pizza with mushrooms and cheese please"
public $order = [I want | I would like] {out.toppings = [];}
    (a | one | two {out.count = 2;}) [$size {out.size = rules.size;}]
    (pizza | pizzas)
    [with $topping {out.toppings.push(rules.topping);}
     (and $topping {out.toppings.push(rules.topping);}) <0-3>]
    [please];

$size = small | medium | large;
$topping = cheese | mushrooms | onions | ham | olives;
`,
  'Yes or no (ABNF, literals)': `#ABNF 1.0 UTF-8;
language en-US;
mode voice;
root $answer;
tag-format <semantics/1.0-literals>;

public $answer = (yes | yeah | sure | of course) {yes}
               | (no | nope | never) {no};
`,
  'Light switch (JSGF)': `#JSGF V1.0 UTF-8 en;
grammar lights;

public <command> = [please] turn the <room> light <state>;
<room> = kitchen | bedroom | hall | living room;
<state> = on {true} | off {false};
`,
  'Robot (GrXML)': `<?xml version="1.0" encoding="UTF-8"?>
<grammar xmlns="http://www.w3.org/2001/06/grammar" version="1.0"
         xml:lang="en-US" mode="voice" root="move"
         tag-format="semantics/1.0">
  <rule id="move" scope="public">
    go <one-of>
      <item>forward <tag>out.direction = 1;</tag></item>
      <item>backward <tag>out.direction = -1;</tag></item>
    </one-of>
    <ruleref uri="#count"/> <tag>out.metres = rules.count;</tag>
    <one-of><item>meter</item><item>meters</item></one-of>
  </rule>
  <rule id="count">
    <one-of>
      <item>one <tag>out = 1;</tag></item>
      <item>two <tag>out = 2;</tag></item>
      <item>five <tag>out = 5;</tag></item>
      <item>ten <tag>out = 10;</tag></item>
    </one-of>
  </rule>
</grammar>
`,
};
