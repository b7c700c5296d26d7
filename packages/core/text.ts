/** The text, or its beginning and an ellipsis where it is longer than `most` (UTF-16 units). Never half a character: databases refuse those. */
export function cutText(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
