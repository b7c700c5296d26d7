import { Command } from 'commander';
import { exchangeCommand } from './exchange/command.ts';
import { flyCommand } from './fly/command.ts';
import { geminiCommand } from './gemini/command.ts';
import { supabaseCommand } from './supabase/command.ts';

await new Command('local-cloud')
  .description('Stand-ins with real behaviour behind the real protocols. Each listens on loopback only.')
  .addCommand(flyCommand())
  .addCommand(supabaseCommand())
  .addCommand(exchangeCommand())
  .addCommand(geminiCommand())
  .parseAsync();
