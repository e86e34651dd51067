import java.time.Instant;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.retry.RetryForever;

/** Prints "path nanoseconds" for every znode that Curator's TreeCache is told of. */
public class CuratorCache {
    public static void main(String[] args) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(args[0], new RetryForever(1000));
        client.start();
        TreeCache cache = TreeCache.newBuilder(client, args[1]).build();
        cache.getListenable().addListener((ignored, event) -> {
            switch (event.getType()) {
                case NODE_ADDED -> {
                    Instant now = Instant.now();
                    long nanos = now.getEpochSecond() * 1_000_000_000L + now.getNano();
                    System.out.println(event.getData().getPath() + " " + nanos);
                }
                case INITIALIZED -> System.out.println("ready");
                default -> { }
            }
        });
        cache.start();
        Thread.sleep(Long.MAX_VALUE);
    }
}
