// Which screen is shown.

import { ask } from "./api.js";
import { element, problem } from "./elements.js";
import { annotate } from "./screen_annotate.js";
import { compare } from "./screen_compare.js";
import { videos } from "./screen_videos.js";
import { welcome } from "./screen_welcome.js";
import { load } from "./settings.js";

const settings = load();
let facts = null, close = () => {}, turn = 0;

async function go(name, video = null, keepProblem = false) {
  const own = ++turn;
  close?.();
  close = () => {};
  if (!keepProblem) problem();
  const screens = {
    welcome, videos, annotate, compare,
    replay: context => annotate({ ...context, verifying: true }),
    practice: context => annotate({ ...context, practising: true }),
  };
  document.body.dataset.screen = name;
  document.getElementById("who").textContent = name === "welcome" ? "" : settings.rater;
  document.getElementById("links").replaceChildren(...(name === "welcome" ? [] : [
    element("a", { href: "#", onclick: event => { event.preventDefault(); go("welcome"); } }, "Settings"),
    element("a", { href: "#", onclick: event => { event.preventDefault(); go("videos"); } }, "Videos")]));
  try {
    const made = await screens[name]({ settings, facts, go, video });
    if (own === turn) close = made;
    else made?.();
  } catch (error) {
    problem(error.message);
  }
}

try {
  facts = await ask("api/welcome");
  go("welcome");
} catch (error) {
  problem(error.message);
}
