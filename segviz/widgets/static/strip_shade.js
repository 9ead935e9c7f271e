// @ts-check
/** Attention on the tokens of the strip: values to shades, shades to readable colours. Pure. */

/** @typedef {"light"|"dark"} Theme */
/** @typedef {{query: number, queryStop?: number, values: ArrayLike<number>, maximum: number}} Shade */

/** Shades from no attention to the most. */
export const SHADES = 32;
/** The shade of a token that the query cannot see. */
export const UNSEEN = -1;

/** Red, green and blue at equal distances; from what lies behind the text to the most telling. */
const RAMPS = {
  light: ["#ffffff", "#fbc4d6", "#e2588f", "#a3134f", "#4d0524"],
  dark: ["#1a1c22", "#53213a", "#a63868", "#ec82ac", "#ffe3ed"],
};

/**
 * A shade for each token, on the square-root scale, so that small probabilities keep their
 * differences.
 * @param {Shade} shade @param {number} count tokens
 * @returns {Int8Array} 0 to SHADES - 1, or UNSEEN
 */
export function shadesOf({ values, maximum }, count) {
  const shades = new Int8Array(count).fill(UNSEEN);
  for (let at = 0; at < Math.min(count, values.length); at++) {
    if (Number.isNaN(values[at])) continue;
    const part = Math.sqrt(Math.min(1, Math.max(0, values[at]) / (maximum || 1)));
    shades[at] = Math.round(part * (SHADES - 1));
  }
  return shades;
}

/**
 * The colours of a shade: what is behind the text, and the text, black or white, whichever reads
 * better.
 * @param {number} shade @param {Theme} theme
 */
export function shadeColors(shade, theme) {
  const back = rampColor(shade / (SHADES - 1), theme);
  const light = luminance(back);
  const ink = 1.05 / (light + 0.05) > (light + 0.05) / 0.05 ? "#ffffff" : "#000000";
  return { back: `rgb(${back.join(" ")})`, ink };
}

/** The ramp as a CSS gradient, for the legend. @param {Theme} theme */
export function rampGradient(theme) {
  return `linear-gradient(to right, ${RAMPS[theme].join(", ")})`;
}

/** @param {number} part 0 to 1 @param {Theme} theme @returns {number[]} 0 to 255 each */
function rampColor(part, theme) {
  const stops = RAMPS[theme];
  const at = Math.min(part * (stops.length - 1), stops.length - 1.0001);
  const [low, high] = [stops[Math.floor(at)], stops[Math.floor(at) + 1]].map(channels);
  const share = at - Math.floor(at);
  return low.map((value, index) => Math.round(value + share * (high[index] - value)));
}

/** @param {string} color #rrggbb */
function channels(color) {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

/** Relative luminance as WCAG defines it. @param {number[]} color */
export function luminance(color) {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * A token's attention as text.
 * @param {Shade} shade @param {number} at
 */
export function shownValue({ values }, at) {
  if (at >= values.length || Number.isNaN(values[at])) return "masked: no attention";
  return String(Number(values[at].toPrecision(4)));
}
