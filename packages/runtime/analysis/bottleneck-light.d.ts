/** The build of Bottleneck without its Redis part; its types are those of the whole. */
declare module 'bottleneck/light.js' {
  import Bottleneck from 'bottleneck';

  export default Bottleneck;
}
