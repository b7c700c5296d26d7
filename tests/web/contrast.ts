/** Sources of a script for the page that lists the texts whose contrast with their ground is below 4.5 (WCAG 2, relative luminance). */
export const WEAK_CONTRASTS = `(() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) ?? []).map(Number);
  const over = (top, bottom) => [0, 1, 2].map((i) => top[i] * (top[3] ?? 1) + bottom[i] * (1 - (top[3] ?? 1)));
  const ground = (element) => (element ? over(parse(getComputedStyle(element).backgroundColor), ground(element.parentElement)) : [0, 0, 0]);
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const weak = new Set();
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const back = ground(element);
    const [high, low] = [light(over(parse(getComputedStyle(element).color), back)), light(back)].toSorted((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) weak.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2));
  }
  return [...weak];
})()`;
