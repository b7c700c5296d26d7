// The Fly stand-in as a process of its own, as `local-cloud fly` is but without loading the other stand-ins.
import { flyCommand } from '../../local-cloud/fly/command.ts';

await flyCommand().parseAsync();
