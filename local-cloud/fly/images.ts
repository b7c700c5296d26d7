import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { invalid } from './api-error.ts';

/** What a registered image runs. `cwd` is the folder that relative file names of the command begin from. */
export interface Image { command: readonly string[]; cwd?: string | undefined }
export type Images = Readonly<Record<string, Image>>;

/** Reads `{"registry.local/name@sha256:…": {"command": ["node", "main.ts"], "cwd": "/…"}}`. Throws an Error that says what is wrong. */
export function readImages(file: string): Images {
  const images = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Image>;
  for (const [name, image] of Object.entries(images)) {
    const command: unknown = image?.command;
    if (!Array.isArray(command) || command.length === 0 || !command.every((word) => typeof word === 'string')) {
      throw Object.assign(new Error(`The image ${name} in ${file} needs "command": an array of strings.`), { code: 'images_invalid' });
    }
  }
  return images;
}

/** The registered image, or a refusal like Fly's for an image that its registry does not have. */
export function findImage(images: Images, name: string): Image {
  const image = Object.hasOwn(images, name) ? images[name] : undefined;
  if (!image) throw invalid(`could not resolve image "${name}": manifest unknown`);
  return image;
}

/** The command as it is executed: file names below `cwd` made absolute, since a machine runs in its own root folder. */
export function commandOf(image: Image): string[] {
  return image.command.map((word, index) => {
    if (index === 0 || word.startsWith('-') || image.cwd === undefined) return word;
    const file = resolve(image.cwd, word);
    return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : word;
  });
}

/** An image name in parts: `registry/repository:tag@digest`. */
export function imageRef(name: string): { registry: string; repository: string; tag: string; digest: string } {
  const [rest = '', digest = ''] = name.split('@');
  const slash = rest.indexOf('/');
  const [repository = '', tag = ''] = rest.slice(slash + 1).split(':');
  return { registry: slash < 0 ? 'registry-1.docker.io' : rest.slice(0, slash), repository, tag, digest };
}
