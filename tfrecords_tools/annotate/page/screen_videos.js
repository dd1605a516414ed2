// What there is to do, and what is done.

import { ask } from "./api.js";
import { element, length, show } from "./elements.js";

export async function videos({ settings, facts, go }) {
  const { videos: rows } = await ask("api/videos", { rater: settings.rater });
  const isDone = row => settings.dimensions.every(name => row.dimensions[name]?.finished);
  const good = rows.filter(row => !row.problem), todo = good.filter(row => !isDone(row)), done = good.filter(isDone);
  let byDisagreement = false;

  const draw = () => {
    const sorted = list => byDisagreement
      ? [...list].sort((a, b) => (b.disagreement ?? -1) - (a.disagreement ?? -1)) : list;
    const seconds = good.reduce((sum, row) => sum + row.seconds, 0);
    const shareOf = row => settings.dimensions.reduce((sum, name) => sum + row.dimensions[name].share, 0) /
      settings.dimensions.length;
    const share = good.reduce((sum, row) => sum + row.seconds * shareOf(row), 0) / Math.max(seconds, 1e-9);
    show(
      element("h1", {}, `Videos for ${settings.rater}: ${settings.dimensions.join(" and ")}`),
      element("p", {}, `${done.length} of ${good.length} done, `, element("progress", { max: 1, value: share }),
        ` ${Math.round(100 * share)} % of ${length(seconds)}. `,
        facts.ghosts ? element("button", { type: "button", onclick: () => { byDisagreement = !byDisagreement; draw(); } },
          byDisagreement ? "In my order" : "Most disagreement first") : null),
      element("h2", {}, `To do (${todo.length})`), table(sorted(todo), false),
      element("h2", {}, `Done (${done.length})`), table(sorted(done), true),
      problems(rows, facts));
    document.querySelector("#screen button.primary")?.focus();
  };

  const table = (list, finished) => list.length ? element("table", {},
    element("thead", {}, element("tr", {}, ["video", "length", ...settings.dimensions,
      ...(facts.ghosts ? ["disagreement"] : []), ""].map(text => element("th", { scope: "col" }, text)))),
    element("tbody", {}, list.map(row => element("tr", { "data-video": row.number },
      element("td", {}, row.name, row.converted ? element("span", { class: "note" }, ` (converted once: ${row.converted})`) : null),
      element("td", { class: "number" }, length(row.seconds)),
      settings.dimensions.map(name => element("td", {}, progress(row.dimensions[name]))),
      facts.ghosts ? element("td", { class: "number" }, row.disagreement == null ? "" : row.disagreement.toFixed(2)) : null,
      element("td", {}, element("div", { class: "row" },
        finished
          ? [element("button", { type: "button", onclick: () => go("replay", row) }, "Replay and verify"),
            element("button", { type: "button", onclick: () => go("compare", row) }, "Compare")]
          : element("button", { type: "button", class: "primary", onclick: () => go("annotate", row) },
            progressShare(row) > 0 ? "Go on" : "Annotate"),
        !finished && facts.lead ? element("button", { type: "button", onclick: () => go("compare", row) }, "Compare") : null))))))
    : element("p", { class: "note" }, "None.");

  const progressShare = row => Math.max(...settings.dimensions.map(name => row.dimensions[name].share));
  draw();
}

function progress({ finished, verified, share }) {
  if (verified) return element("span", { class: "good" }, "verified");
  if (finished) return element("span", {}, "finished, to be verified");
  if (share > 0) return element("progress", { max: 1, value: share, title: `${Math.round(100 * share)} %` });
  return element("span", { class: "note" }, "–");
}

function problems(rows, facts) {
  const lines = [...rows.filter(row => row.problem).map(row => `${row.name}: ${row.problem}`),
    ...Object.entries(facts.left_out).map(([name, reason]) => `${name}: ${reason}`)];
  return lines.length ? element("section", {}, element("h2", {}, "Left out"),
    element("ul", {}, lines.map(text => element("li", {}, text)))) : "";
}
