// Who rates, with what, and which dimension.

import { ask } from "./api.js";
import { element, problem, show } from "./elements.js";
import { gamepads, Input } from "./input.js";
import { Pad } from "./pad.js";
import { save } from "./settings.js";

const DEFINITIONS = [
  ["Valence", "How negative or positive the feeling is that shows, from −1 to +1. 0: nothing to be seen of either."],
  ["Arousal", "How strong or active the feeling is, from −1 (calm, tired) to +1 (excited). 0: the feeling does not show."],
];

export function welcome({ settings, facts, go }) {
  const rater = element("input", { type: "text", id: "rater", value: settings.rater || facts.rater, maxlength: 64,
    autocomplete: "off", spellcheck: "false" });
  const dimension = choice("dimension", [["valence", "valence"], ["arousal", "arousal"], ["both", "both, in the plane"]],
    settings.dimensions.length > 1 ? "both" : settings.dimensions[0]);
  const kind = choice("input", [["pointer", "mouse or touch"], ["keys", "arrow keys"], ["gamepad", "joystick or gamepad"]],
    settings.input);
  const pads = element("select", { id: "gamepad" });
  const axisY = element("select", { id: "axisY" }), axisX = element("select", { id: "axisX" });
  const zone = element("input", { type: "range", id: "zone", min: 0, max: 0.4, step: 0.01, value: settings.deadZone });
  const inverted = element("input", { type: "checkbox", id: "inverted", checked: settings.inverted });
  const ghost = element("input", { type: "checkbox", id: "ghost", checked: settings.ghost && facts.ghosts });
  const stick = element("div", {},
    field("Joystick", pads), field("Up and down", axisY), field("Left and right", axisX), field("Dead zone", zone));
  const canvas = element("canvas", { "aria-label": "Needle to try the input" }), output = element("output");
  let input = new Input(settings), pad = new Pad(canvas, output, input), running = true;

  const update = () => {
    const picked = gamepads().find(each => each.id === pads.value) ?? gamepads()[0];
    const axes = picked ? picked.axes.length : 2;
    for (const [select, value] of [[axisX, settings.axisX], [axisY, settings.axisY]]) {
      if (select.options.length !== axes) {
        select.replaceChildren(...Array.from({ length: axes }, (_, i) => element("option", { value: i }, `axis ${i}`)));
        select.value = String(Math.min(value, axes - 1));
      }
    }
    Object.assign(settings, {
      rater: rater.value.trim(), input: kind.value, gamepad: pads.value || settings.gamepad,
      dimensions: dimension.value === "both" ? ["valence", "arousal"] : [dimension.value],
      axisX: Number(axisX.value || 0), axisY: Number(axisY.value || 0), deadZone: Number(zone.value),
      inverted: inverted.checked, ghost: ghost.checked,
    });
    stick.hidden = settings.input !== "gamepad";
    axisX.closest(".field").hidden = settings.dimensions.length < 2;
    save(settings);
  };
  const listPads = () => {
    const names = gamepads().map(each => each.id);
    if (names.join() === [...pads.options].map(option => option.value).join()) return;
    pads.replaceChildren(...(names.length ? names.map(name => element("option", { value: name }, name))
      : [element("option", { value: "" }, "none found: press a button on it")]));
    if (names.includes(settings.gamepad)) pads.value = settings.gamepad;
    update();
  };
  const begin = event => {
    event.preventDefault();
    update();
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(settings.rater)) {
      problem("A name has 1 to 64 letters, digits, - and _. It becomes the name of your folder.");
      rater.focus();
      return;
    }
    problem();
    go("videos");
  };
  // On the shortest clip that plays as it is, if there is one.
  const practise = async () => {
    update();
    try {
      const { videos } = await ask("api/videos", { rater: "practice" });
      const fit = videos.filter(row => !row.problem)
        .sort((a, b) => Boolean(a.converted) - Boolean(b.converted) || a.seconds - b.seconds);
      if (!fit.length) throw new Error("There is no video that can be read.");
      go("practice", fit[0]);
    } catch (error) {
      problem(error.message);
    }
  };
  for (const each of [rater, dimension, kind, pads, axisX, axisY, zone, inverted, ghost]) each.addEventListener("input", update);
  window.addEventListener("gamepadconnected", listPads);
  const tick = () => {
    if (!running) return;
    listPads();
    input.poll();
    pad.draw();
    requestAnimationFrame(tick);
  };

  show(element("form", { onsubmit: begin }, element("div", { class: "columns" },
    element("section", {},
      element("h1", {}, "Who rates, and how"),
      field("Your name", rater), field("Dimension", dimension), field("Input", kind), stick,
      field("Up is negative", inverted),
      facts.ghosts ? field("Predictions", element("span", {}, ghost,
        " show a network's curve (it biases, and is noted with your annotation)")) : null,
      element("p", {}, element("button", { type: "submit", class: "primary", id: "begin" }, "To the videos"), " ",
        element("button", { type: "button", id: "practise", onclick: practise }, "Practise"),
        element("span", { class: "note" }, " on the shortest clip: nothing is kept")),
      element("h2", {}, "Keys"),
      element("p", { class: "note" }, element("kbd", {}, "Space"), " record and pause, ", element("kbd", {}, "←"),
        " or ", element("kbd", {}, ","), " back 5 seconds, ", element("kbd", {}, "→"), " or ",
        element("kbd", {}, "."), " forward 5 seconds, ",
        element("kbd", {}, "P"), " play without recording, ", element("kbd", {}, "U"), " undo, ",
        element("kbd", {}, "F"), " finish, ", element("kbd", {}, "Esc"), " to the list")),
    element("section", {},
      element("h1", {}, "What is rated"),
      element("dl", { class: "definitions" }, DEFINITIONS.map(([name, text]) =>
        [element("dt", {}, name), element("dd", {}, text)])),
      element("ul", {},
        element("li", {}, "Rate what shows at each moment, not the video as a whole."),
        element("li", {}, "What happens and what is said counts: watch with sound, and look at the video once before."),
        element("li", {}, "Rate one dimension at a time unless you are used to the plane."),
        element("li", {}, "Practise first. Of a recording, too, nothing counts before you choose Finish.")),
      element("h2", {}, "Try the input"),
      element("div", { class: "row" }, sizedCanvas(canvas), element("div", {},
        element("p", { class: "note" }, "Move the stick, the pointer over the scale, or hold the arrow keys."), output))))));
  listPads();
  update();
  tick();
  (rater.value ? document.getElementById("begin") : rater).focus();
  return () => {
    running = false;
    input.close();
    window.removeEventListener("gamepadconnected", listPads);
  };
}

function choice(id, options, value) {
  const made = element("select", { id }, options.map(([key, text]) => element("option", { value: key }, text)));
  made.value = value;
  return made;
}

function field(text, control) {
  return element("div", { class: "field" }, element("label", { for: control.id || false }, text), control);
}

function sizedCanvas(canvas) {
  return element("div", { class: "pad trial" }, canvas);
}
