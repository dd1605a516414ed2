// All raters of one video over each other, how they agree, and whose mean is the label.

import { ask, send } from "./api.js";
import { line, scaled, sized, valueAxis } from "./canvas.js";
import { clock, colour, element, length, problem, show } from "./elements.js";

// Colours after Okabe and Ito, safe for the colour-blind, darker on light and lighter on dark; from the eighth rater on
// the lines differ instead.
const COLOURS = 7;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

export async function compare({ settings, facts, go, video: row }) {
  let dimension = settings.dimensions[0], chosen = new Set(), found = null;
  const canvas = element("canvas", { class: "overlay-curves", "aria-label": "All raters' curves" });
  const inner = element("div");
  const pick = element("select", { id: "which" }, ["valence", "arousal"].map(name => element("option", { value: name }, name)));
  pick.value = dimension;
  pick.addEventListener("change", () => { dimension = pick.value; load(); });
  show(element("h1", {}, `All raters of ${row.name}`),
    element("p", { class: "row" }, pick, element("button", { type: "button", onclick: () => go("videos") }, "To the list")),
    canvas, inner);

  async function load() {
    try {
      found = await ask("api/compare", { rater: settings.rater, video: row.number, dimension });
      problem();
    } catch (error) {
      found = null;
      inner.replaceChildren();
      problem(error.message);
      draw();
      return;
    }
    chosen = new Set(found.selected);
    fill();
    draw();
  }

  function fill() {
    const names = found.raters.map(each => each.name);
    const matrix = (title, values) => element("section", {}, element("h2", {}, title), element("table", {},
      element("thead", {}, element("tr", {}, ["", ...names].map(text => element("th", { scope: "col" }, text)))),
      element("tbody", {}, values.map((line, i) => element("tr", {}, element("th", { scope: "row" }, names[i]),
        line.map((value, j) => element("td", { class: "number" }, i === j ? "" : value === null ? "–" : value.toFixed(2))))))));
    const agreement = found.reliability;
    inner.replaceChildren(
      element("table", {}, element("thead", {}, element("tr", {},
        [facts.lead ? "label" : null, "rater", "verified", "delay behind the others", ""].filter(text => text !== null)
          .map(text => element("th", { scope: "col" }, text)))),
      element("tbody", {}, found.raters.map((each, i) => element("tr", {},
        facts.lead ? element("td", {}, tickBox(each.name)) : null,
        element("td", {}, swatch(i), each.name),
        element("td", {}, each.verified ? each.verified.slice(0, 10) : "no"),
        element("td", { class: "number" }, each.delay === null ? "–" : `${each.delay < 0 ? "−" : ""}${Math.abs(each.delay).toFixed(1)} s`),
        element("td", { class: "bad" }, [found.outliers.includes(each.name) ? "agrees little with the others" : "",
          each.ghost ? "saw a prediction" : ""].filter(Boolean).join(", ")))))),
      facts.lead ? element("p", { class: "row" },
        element("button", { type: "button", class: "primary", id: "select", onclick: choose }, "Select these"),
        element("span", { class: "note" }, "The mean of 2 to 4 annotations is the label of this video and dimension.")) : "",
      ...(names.length > 1 ? [matrix("Correlation", found.correlation), matrix("CCC", found.ccc)]
        : [element("p", { class: "note" }, "Nobody else has finished this video: there is nothing to compare with yet.")]),
      agreement ? element("p", {}, `ICC(2,1) ${number(agreement.icc_2_1)}, ICC(2,k) ${number(agreement.icc_2_k)}, ` +
        `ICC(3,k) ${number(agreement.icc_3_k)}, Krippendorff's alpha ${number(agreement.alpha)}.`) : "");
  }

  function tickBox(name) {
    const box = element("input", { type: "checkbox", "aria-label": `Use ${name}`, checked: chosen.has(name) });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(name);
      else chosen.delete(name);
      draw();
    });
    return box;
  }

  async function choose() {
    try {
      await send("api/select", { video: row.number, dimension, raters: [...chosen] });
      problem();
      document.getElementById("select").textContent = "Selected";
    } catch (error) {
      problem(error.message);
    }
  }

  function draw() {
    const { context, width, height } = sized(canvas);
    context.clearRect(0, 0, width, height);
    if (!found?.raters.length) return;
    const end = found.times.at(-1) || 1, x = time => time / end * width, y = scaled(height, 8);
    valueAxis(context, y, width);
    const named = end < 30 ? clock : length; // whole seconds would be the same one twice
    for (const part of [0.25, 0.5, 0.75]) {
      line(context, part * width, height - 8, part * width, height);
      context.fillText(named(part * end), part * width + 3, height - 2);
    }
    found.raters.forEach((each, i) => {
      context.strokeStyle = colour(`rater${i % COLOURS}`);
      context.setLineDash(DASHES[Math.floor(i / COLOURS) % DASHES.length]);
      context.lineWidth = chosen.has(each.name) ? 3 : 1.5;
      context.beginPath();
      const step = Math.max(1, Math.floor(each.values.length / (2 * width)));
      for (let k = 0; k < each.values.length; k += step) context.lineTo(x(found.times[k]), y(each.values[k]));
      context.stroke();
    });
    context.setLineDash([]);
    context.lineWidth = 1;
  }

  const again = () => draw();
  window.addEventListener("resize", again);
  await load();
  return () => window.removeEventListener("resize", again);
}

function swatch(index) {
  const made = element("span", { class: `swatch ${["", "dashed", "dotted", "dashed"][Math.floor(index / COLOURS) % 4]}` });
  made.style.borderColor = `var(--rater${index % COLOURS})`;
  return made;
}

function number(value) {
  return value === null ? "–" : value.toFixed(2);
}
