// What a rater has chosen, kept in this browser.

const KEY = "affwildnet-annotate";
const DEFAULTS = {
  rater: "", dimensions: ["valence"], input: "pointer", gamepad: "", axisX: 0, axisY: 1, deadZone: 0.08, inverted: false,
  speed: 1, ghost: false,
};

export function load() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULTS };
  }
}

export function save(settings) {
  localStorage.setItem(KEY, JSON.stringify(settings));
}
